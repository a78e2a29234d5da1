"""Every client in every situation shows through the gateway what it shows directly, or what the situation allows."""


def test_same_as_direct(case, play, record_property):
    record_property("situation", case.situation.name)
    play(case)
