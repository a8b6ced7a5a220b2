"""Experiment: what is a pretrained network worth?"""
