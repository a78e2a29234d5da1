"""Every client in every situation shows through the gateway what it shows directly."""


def test_same_as_direct(case, play):
    play(case)
