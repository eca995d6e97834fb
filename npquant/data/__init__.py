"""Rows and labels: IDX, CSV and npz files, the 70/15/15 split, the bundled digits."""
