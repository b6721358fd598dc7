"""ragkit beside its peers: same model, same machine, same thread count, one run."""
