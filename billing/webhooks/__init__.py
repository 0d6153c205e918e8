"""Messages of Stripe's: kept as they came, answered at once, worked off afterwards."""
