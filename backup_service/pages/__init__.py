"""Pages that belong to no app: the front page, health, metrics, an embedded service's mails."""
