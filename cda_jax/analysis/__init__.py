"""What a trained network learned, measured on frozen features and predictions."""
