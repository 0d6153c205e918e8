"""What programs of customers do: speak to the API, verify what they are sent."""
