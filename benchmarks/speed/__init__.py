"""This trainer's step against its peers, in one run: `python -m benchmarks.speed`.

cases       what is trained: the same first weights, images and rule for every contender
ours, tape, keras_fit, pytorch    the contenders
serve       the process that holds some contenders; process is its other end
statistics  medians, paired ratios and their intervals
report      the tables
"""
