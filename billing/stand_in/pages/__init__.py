"""The pages that customers see: Checkout, the portal, invoices. They work without JavaScript."""
