"""A shop: a web application that takes orders, and a worker that charges, reserves and ships them."""
