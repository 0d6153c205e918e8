"""What happens at a payment service: cards, invoices, subscriptions, and time that passes."""
