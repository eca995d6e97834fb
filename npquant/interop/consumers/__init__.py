"""The runtimes that exported models are for: an artefact and inputs in, the runtime's own answers out, a module each.

run_<engine>(path, x) takes what the file takes and gives what the file gives; version_<engine>() is None where the
engine is not installed.
"""
