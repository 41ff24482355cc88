"""
The long form of the crash tests: `make stress`.

load     starts workflows all the time, cancels some, and remembers what it was told
chaos    kills, freezes and cuts off whoever runs them
verdict  looks for lost, doubled and changed work when it is quiet again
races    lets those who wait and those who bring meet, with pauses at every step
battle   the three together, on one database
"""
