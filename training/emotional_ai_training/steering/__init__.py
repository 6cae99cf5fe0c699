"""Does the state steer the words? An evaluation in the open, of a running service.

protocol     what is asked: states, prompts, seeds, and what of the system speaks
wording      a state in plain words, for the control that prompts
asking       questions put to the service; replies kept as they come
lexicon      the second judge
accuracy     how well the judges agree with people
reading      replies read by both judges
statistics   trends, effects, agreement, intervals
sweeps       each chemical on each attribute, beside the controls
agreement    states intended and judged; the sixteen corners
quality      whether replies stay whole and about the prompt
dialogues    scripted conversations
safety       refusal and sycophancy over the state cube
perplexity   neutral text under the adapters, replies under the base
analysis     all of it put together
criteria     what was wanted beside what was found
figures      pictures
report       JSON and Markdown
serving      a service of the evaluation's own
running      asks what has no reply yet, and reads
plans        how much is asked
errors       what is refused
data/        cues, harmful requests, false claims
"""
