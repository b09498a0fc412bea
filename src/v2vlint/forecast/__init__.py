"""The forecast: the predicted fate of a boot, stage by stage, from facts and a target."""
