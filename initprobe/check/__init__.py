"""Evidence becomes a Judgement: gains over streams, rules over everything, one verdict. No torch in here.

``judge.judge`` is the verb. One more thing to find is one more file in ``rules``; one more limit is one more line in
``thresholds``.
"""
