"""The engine: views and transactions on a store, shared by the listeners of a worker. It knows no protocol.

A dialect, such as the one in redis/, gives it work: functions of the data that return encoded replies.
"""
