"""What training changed, measured.

measures       counts on texts and scores: area under the curve, distinct pairs, broken replies
before_after   held-out prompts answered before and after, read by a judge; perplexity of neutral text
diversity      replies to one prompt against each other, at a fixed temperature
scale          the scale at which an adapter speaks at full strength
tables         the reports laid out for a terminal
"""
