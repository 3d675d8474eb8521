"""The data sets: found in the data folder or fetched, verified, decoded, resized and preprocessed.

load        what a run asks for, whole or not at all
idx, cifar, digits   a format each; files that are not what they should be are refused with a sentence
download    files over https: resumed, verified, never half-written under their names
preprocess  to the network's size, then to its units
histograms  how the pixels are distributed before and after
"""

from worker.datasets.load import Dataset, load

__all__ = ["Dataset", "load"]
