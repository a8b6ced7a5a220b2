"""FCN-8s on a student's own kernels: their functions put under the engine, timed, and trained.

functions.py loads what has passed its checks, or makes a known mistake on purpose; kernels.py puts
it in the place of minifcn's; rehearsal.py times one step and chooses a recipe that fits.
"""
