"""APIs of users: what their documents mean, which operation a request is, who may call it."""
