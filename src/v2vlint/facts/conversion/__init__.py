"""The guest as the mover leaves it: what virt-v2v repairs, renames, rebuilds, installs and refuses. A raw copy changes nothing.

One module per subject; each cites the virt-v2v function it models, as of virt-v2v 71376bd (2.13.3) and libguestfs-common 46605b8.
Nothing else in v2vlint depends on who the mover is.
"""
