"""The pages about plans and payments. Only the site's URLs import it."""
