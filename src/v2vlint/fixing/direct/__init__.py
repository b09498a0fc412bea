"""Writing without an appliance: the libraries and tools of those who keep the filesystems, on bytes that stay in memory until all is well.

A child that reads the guest as every reader does lays what it writes over what it reads (:mod:`.volume`). libext2fs, libntfs-3g and hivex
(:mod:`.ext`, :mod:`.ntfs`, :mod:`.hive`) work on that in the child itself, mtools (:mod:`.fat`) on a file with the bytes of one volume.
What comes out are blocks of the guest's disks, which the parent puts into the overlays (:mod:`.write`). Neither FUSE nor root is needed.
"""
