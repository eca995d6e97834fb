"""The float network by hand, and its training; each module's first line says where it stands.

The network:  activations, layers, losses, model.
Training:     training_rows -> scaling -> settings -> optimizers -> subnetwork -> parameters -> descent, and on top of
              these training (from scratch), distillation, finetuning.
"""
