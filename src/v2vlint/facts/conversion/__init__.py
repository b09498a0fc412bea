"""How the guest looks after the mover: what virt-v2v repairs, renames, rebuilds, installs and refuses. A raw copy leaves it as it is.

One module per subject; each names the function of virt-v2v that does it, as read in virt-v2v 71376bd (2.13.3), libguestfs-common 46605b8.
Nothing else in v2vlint asks who the mover is.
"""
