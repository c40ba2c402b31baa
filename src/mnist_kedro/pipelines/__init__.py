"""The stages. None imports another: what crosses from one to the next is saved in the catalog."""
