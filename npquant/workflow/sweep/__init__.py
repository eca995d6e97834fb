"""Sweeps: many settings of quantization and pruning on one data set, in any number of processes, resumed if killed."""
