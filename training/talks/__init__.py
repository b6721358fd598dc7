"""How the model that understands follow-up questions is trained."""
