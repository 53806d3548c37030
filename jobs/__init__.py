"""What runs on the cluster: one thin Ray driver a stage, and the command over them."""
