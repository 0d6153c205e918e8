"""The S3 kind of store.

Reads and writes of objects go over sockets of our own, which was measured to cost a fraction;
everything else goes through boto3.
"""
