"""What the house needs from a technology: a state adapter that stores jobs, a notify adapter that passes hints."""
