"""Files: the container of integer networks, zip archives, and what is written whole or not at all.

storage.py   save, itemize                     reading.py   a file from its bytes: what stops a hostile one
container/   an integer network, byte by byte  layouts.py, archive.py   zips of arrays that NumPy opens
plain_arrays.py              every network as plain arrays
facts.py     what a file knows of the data      staging.py   several files together
format_error.py              the one error of a file that cannot be read
"""
