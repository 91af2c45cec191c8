"""HTTP that is not for a provider: to ourselves from outside, and to whoever wants to hear of a batch."""
