"""Rows, 2 of 6: files and frames of every format as a raw table; read_table is the door, told by content.

text_source -> csv_form, csv_header -> csv_rows (csv_quick where all is plain, csv_cells else) -> column_store: text
tables. array_column: what each type of array becomes, for npz, Arrow and frames alike.
"""
