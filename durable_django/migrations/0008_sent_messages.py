import durable_django.models.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('durable_django', '0007_payload_permission'),
    ]

    operations = [
        migrations.AlterField(
            model_name='message',
            name='sender',
            field=durable_django.models.fields.IdField(blank=True, default='', max_length=255),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(condition=models.Q(('sender__gt', '')), fields=['sender', 'id'], name='durable_message_sender'),
        ),
    ]
