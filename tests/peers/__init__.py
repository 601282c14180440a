"""Other people's stores: each in a locked environment of its own, installed where PEERS=1 asks for it."""
