"""Other ways to round, each by its own definition: nearest, GPTQ, GPFQ, AdaRound."""
