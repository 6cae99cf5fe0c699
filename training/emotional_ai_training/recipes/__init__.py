"""How adapters are trained: recipes on the Tinker API, each readable by itself.

errors          what the recipes refuse
settings        what the environment says
examples        messages to tokens and weights
schedule        learning rates and batches
journal         lines on disk that survive a kill
run_directory   the record of one run; what makes it resumable
course          what all runs share: open, save, finish
fine_tuning     supervised fine-tuning, the loop
conditioning    recipe 1: every state in one adapter
state_adapters  recipe 2: one adapter a state, from recipe 1
rewards         what a reply is worth to curiosity, as arithmetic
curiosity       recipe 3: reinforcement learning of eagerness
exporting       from the server to PEFT's form
figures         curves as a picture
data            rows sorted into what each recipe takes
preparation     rows a training prepares for itself
workload        states, prompts and tokens of a training
training        the recipes in their order; measured, published
workplace       the directory of a training from the terminal
progress        steps of stages as reports
console         reports as bars, errors as lines
plan            the composition root: plan and environment to published adapters
"""
