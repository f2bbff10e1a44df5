"""Every verb, interrupted at every statement."""
