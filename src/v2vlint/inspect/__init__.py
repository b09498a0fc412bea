"""What is this virtual machine?"""
