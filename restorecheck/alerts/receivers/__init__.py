"""The ways to a person: one module for each kind of receiver. None of them decides what is told, or to whom."""
