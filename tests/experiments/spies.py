"""Functions that take the place of others for a while, and remember what they were asked."""


def spy(patch, asked, where, name, answering):
    """Let where.name answer as told, and put what it is asked and says into asked[name], a list."""

    def called(*arguments, **named):
        result = answering(*arguments, **named)
        asked.setdefault(name, []).append((arguments, result))
        return result

    patch.setattr(where, name, called)
