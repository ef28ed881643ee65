"""The paper's claims, one by one, with effect and interval; what only a known world can tell; human ratings."""
