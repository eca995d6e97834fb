"""Rows and labels, from a file to the sets of a run; each module's first line says where it stands.

A file -> idx_table, csv_table, npz_table -> a RawTable -> features, labels -> a Dataset -> split -> Sets.
"""
