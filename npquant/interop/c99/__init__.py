"""Integer-only C99 programs: a header and a source that give the network's bytes on anything with a C compiler."""
