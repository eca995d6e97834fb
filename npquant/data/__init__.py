"""Rows and labels, from a file to the sets of a run; each module's first line says where it stands.

A file -> readers -> a RawTable -> features, labels -> a Dataset -> split -> Sets.
Rows for a network that exists are first brought into the order that it knows: matching. content_hash names a data set.
"""
