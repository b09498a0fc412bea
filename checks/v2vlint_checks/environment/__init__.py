"""What the guest assumes about its surroundings: DNS, NTP, shares, clocks."""
