"""Run an artefact in the engine that it was made for, and bring back what that answers: one module an engine."""
