"""Takes what is due, sends it, writes down what came back."""
