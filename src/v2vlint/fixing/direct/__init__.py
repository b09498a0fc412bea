"""Writing without an appliance, through the filesystems' own libraries and tools. Changes stay in memory until everything has succeeded.

A confined child reads the guest like any other reader, and keeps its changes as a layer over what it reads (:mod:`.volume`). libext2fs,
libntfs-3g and hivex (:mod:`.ext`, :mod:`.ntfs`, :mod:`.hive`) work on that layer in the child; mtools (:mod:`.fat`) works on a file with a
copy of one volume. The result is a list of blocks of the guest's disks, which the parent writes into the overlays (:mod:`.write`). Neither
FUSE nor root is needed.
"""
