"""Rectified quantization: errors carried along the inputs, weighted by what the activation lets through, bounded."""
